    private func segment(with handler: VNImageRequestHandler) throws -> ClassMap {
        try handler.perform([request])
        let observations = (request.results ?? []).compactMap { $$0 as? VNCoreMLFeatureValueObservation }
        guard let found = observations.first(where: { $$0.featureName == "semanticPredictions" }),
              let array = found.featureValue.multiArrayValue else { throw CocoaError(.featureUnsupported) }
        let height = array.shape[0].intValue, width = array.shape[1].intValue
        let rowStride = array.strides[0].intValue, stride = array.strides[1].intValue
        var classes = [Int32](repeating: 0, count: width * height)
        array.withUnsafeBufferPointer(ofType: Int32.self) { values in
            for row in 0..<height {
                for column in 0..<width {
                    classes[row * width + column] = values[row * rowStride + column * stride]
                }
            }
        }
        return ClassMap(classes: classes, width: width, height: height)
    }
