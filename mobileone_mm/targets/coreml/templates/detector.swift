import CoreML
import Vision

/// Thresholds for every request; without it the package's own defaults apply.
final class Thresholds: MLFeatureProvider {
    let values = ["iouThreshold": $iou_threshold, "confidenceThreshold": $confidence_threshold]
    var featureNames: Set<String> { Set(values.keys) }
    func featureValue(for name: String) -> MLFeatureValue? {
        values[name].map(MLFeatureValue.init(double:))
    }
}

func makeRequest() throws -> VNCoreMLRequest {
    let model = try VNCoreMLModel(for: $model(configuration: MLModelConfiguration()).model)
    model.featureProvider = Thresholds()
    let request = VNCoreMLRequest(model: model) { request, _ in
        for case let found as VNRecognizedObjectObservation in request.results ?? [] {
            // 0..1, origin at the lower left; the package does not clip to the picture
            let box = found.boundingBox.intersection(CGRect(x: 0, y: 0, width: 1, height: 1))
            print(found.labels[0].identifier, found.confidence, box)
        }
    }
    request.imageCropAndScaleOption = .scaleFill  // as the model was trained: stretched, not cropped
    return request
}

func detect(in image: CGImage) throws {
    try VNImageRequestHandler(cgImage: image).perform([try makeRequest()])
}
