import CoreML
import ImageIO
import UIKit
import Vision

/// What a picture shows, and how sure the model is of it.
struct Classification {
    let label: String
    let probability: Float
}

/// Says what camera frames and still pictures show. Loading the model takes a while: create one classifier and keep it.
/// Use it on a single queue, not on the main one.
final class VisionClassifier {
    private let request: VNCoreMLRequest

    init(computeUnits: MLComputeUnits = .all) throws {
        let configuration = MLModelConfiguration()
        configuration.computeUnits = computeUnits
        let model = try VNCoreMLModel(for: $model(configuration: configuration).model)
        request = VNCoreMLRequest(model: model)
        request.imageCropAndScaleOption = .$crop  // as the model was tested
    }

    /// The most probable classes of a camera frame; `orientation` says how the frame is turned.
    func classify(
        _ frame: CVPixelBuffer, orientation: CGImagePropertyOrientation, count: Int = 5
    ) throws -> [Classification] {
        try classify(with: VNImageRequestHandler(cvPixelBuffer: frame, orientation: orientation), count: count)
    }

    /// The most probable classes of a still picture, turned upright as UIKit shows it: by a photo's EXIF data.
    func classify(_ image: UIImage, count: Int = 5) throws -> [Classification] {
        guard let picture = image.cgImage else { throw CocoaError(.featureUnsupported) }  // made from a CIImage
        let orientation = CGImagePropertyOrientation(image.imageOrientation)
        return try classify(with: VNImageRequestHandler(cgImage: picture, orientation: orientation), count: count)
    }

    private func classify(with handler: VNImageRequestHandler, count: Int) throws -> [Classification] {
        try handler.perform([request])
        let observations = request.results as? [VNClassificationObservation] ?? []  // the most probable first
        return observations.prefix(count).map { Classification(label: $$0.identifier, probability: $$0.confidence) }
    }
}

$orientation
