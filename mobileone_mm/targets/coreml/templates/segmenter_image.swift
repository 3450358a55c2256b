    private func segment(with handler: VNImageRequestHandler) throws -> ClassMap {
        try handler.perform([request])
        let observations = (request.results ?? []).compactMap { $$0 as? VNPixelBufferObservation }
        guard let buffer = observations.first?.pixelBuffer else { throw CocoaError(.featureUnsupported) }
        CVPixelBufferLockBaseAddress(buffer, .readOnly)
        defer { CVPixelBufferUnlockBaseAddress(buffer, .readOnly) }
        guard let start = CVPixelBufferGetBaseAddress(buffer) else { throw CocoaError(.featureUnsupported) }
        let width = CVPixelBufferGetWidth(buffer), height = CVPixelBufferGetHeight(buffer)
        let rowStride = CVPixelBufferGetBytesPerRow(buffer)  // rows may be longer than the picture is wide
        var classes = [UInt8]()
        classes.reserveCapacity(width * height)
        for row in 0..<height {
            let line = start.advanced(by: row * rowStride)
            classes.append(contentsOf: UnsafeRawBufferPointer(start: line, count: width))
        }
        return ClassMap(classes: classes, width: width, height: height)
    }
