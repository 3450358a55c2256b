import CoreML
import ImageIO
import UIKit
import Vision

/// One object found in a picture.
struct Detection {
    let label: String
    let confidence: Float
    /// Fractions of the upright picture, from its upper left corner; clipped to the picture.
    let box: CGRect
    /// The upright picture, in pixels.
    let pictureSize: CGSize

    /// The box in a view with these bounds: one that the picture fills, like a camera preview with `.resizeAspectFill`,
    /// or, without `aspectFill`, one that shows all of it.
    func rect(in bounds: CGRect, aspectFill: Bool = true) -> CGRect {
        let scaleX = bounds.width / pictureSize.width
        let scaleY = bounds.height / pictureSize.height
        let scale = aspectFill ? max(scaleX, scaleY) : min(scaleX, scaleY)
        let shown = CGSize(width: pictureSize.width * scale, height: pictureSize.height * scale)
        return CGRect(
            x: bounds.midX + (box.minX - 0.5) * shown.width,
            y: bounds.midY + (box.minY - 0.5) * shown.height,
            width: box.width * shown.width,
            height: box.height * shown.height
        )
    }
}

/// Finds objects in camera frames and still pictures. Loading the model takes a while: create one detector and keep it.
/// Use it on a single queue, not on the main one.
final class VisionDetector {
    private let request: VNCoreMLRequest

    init(computeUnits: MLComputeUnits = .all) throws {
        let configuration = MLModelConfiguration()
        configuration.computeUnits = computeUnits
        let model = try VNCoreMLModel(for: $model(configuration: configuration).model)
        request = VNCoreMLRequest(model: model)
        request.imageCropAndScaleOption = .scaleFill  // as the model was trained: stretched, not cropped
    }

    /// Replaces the package's own thresholds, which are the default values here, in all later calls.
    func setThresholds(confidence: Double = $confidence_threshold, iou: Double = $iou_threshold) throws {
        request.model.featureProvider = try MLDictionaryFeatureProvider(dictionary: [
            "confidenceThreshold": MLFeatureValue(double: confidence),
            "iouThreshold": MLFeatureValue(double: iou),
        ])
    }

    /// Objects in a camera frame; `orientation` says how the frame is turned.
    func detect(in frame: CVPixelBuffer, orientation: CGImagePropertyOrientation) throws -> [Detection] {
        let size = CGSize(width: CVPixelBufferGetWidth(frame), height: CVPixelBufferGetHeight(frame))
        let handler = VNImageRequestHandler(cvPixelBuffer: frame, orientation: orientation)
        return try detect(with: handler, size: size, orientation: orientation)
    }

    /// Objects in a still picture, turned upright as UIKit shows it: by a photo's EXIF data.
    func detect(in image: UIImage) throws -> [Detection] {
        guard let picture = image.cgImage else { throw CocoaError(.featureUnsupported) }  // made from a CIImage
        let size = CGSize(width: picture.width, height: picture.height)
        let orientation = CGImagePropertyOrientation(image.imageOrientation)
        let handler = VNImageRequestHandler(cgImage: picture, orientation: orientation)
        return try detect(with: handler, size: size, orientation: orientation)
    }

    private func detect(
        with handler: VNImageRequestHandler, size: CGSize, orientation: CGImagePropertyOrientation
    ) throws -> [Detection] {
        try handler.perform([request])
        let isSideways = orientation.rawValue >= 5  // EXIF 5 to 8: width and height change places
        let pictureSize = isSideways ? CGSize(width: size.height, height: size.width) : size
        let observations = request.results as? [VNRecognizedObjectObservation] ?? []
        return observations.compactMap { observation -> Detection? in
            // Fractions from the lower left corner; the package does not clip them to the picture.
            let box = observation.boundingBox.intersection(CGRect(x: 0, y: 0, width: 1, height: 1))
            guard let label = observation.labels.first, !box.isEmpty else { return nil }
            return Detection(
                label: label.identifier,
                confidence: observation.confidence * label.confidence,  // Vision scales the labels to a sum of 1
                box: CGRect(x: box.minX, y: 1 - box.maxY, width: box.width, height: box.height),
                pictureSize: pictureSize
            )
        }
    }
}

$orientation
