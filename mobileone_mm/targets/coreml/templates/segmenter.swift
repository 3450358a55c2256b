import CoreGraphics
import CoreML
import ImageIO
import UIKit
import Vision

/// The class of each place of a picture, row by row from its upper left corner. Stretched to the size of the upright
/// picture, it covers all of it.
struct ClassMap {
    let classes: [$index]
    let width: Int
    let height: Int

    /// The classes in their colours, to be drawn over the picture; those in `hidden` are left out.
    func overlay(hidden: Set<Int> = [], alpha: Double = 0.5) -> CGImage? {
        var pixels = [UInt8](repeating: 0, count: classes.count * 4)
        for (place, value) in classes.enumerated() where !hidden.contains(Int(value)) {
            let color = VisionSegmenter.colors[Int(value)]
            for channel in 0..<3 {  // multiplied by alpha, as Core Graphics wants it
                pixels[place * 4 + channel] = UInt8(Double((color >> (16 - 8 * channel)) & 0xFF) * alpha)
            }
            pixels[place * 4 + 3] = UInt8(255 * alpha)
        }
        guard let provider = CGDataProvider(data: Data(pixels) as CFData) else { return nil }
        return CGImage(
            width: width, height: height, bitsPerComponent: 8, bitsPerPixel: 32, bytesPerRow: width * 4,
            space: CGColorSpaceCreateDeviceRGB(),
            bitmapInfo: CGBitmapInfo(rawValue: CGImageAlphaInfo.premultipliedLast.rawValue),
            provider: provider, decode: nil, shouldInterpolate: false, intent: .defaultIntent
        )
    }
}

/// Finds the class of each place in camera frames and still pictures. Loading the model takes a while: create one
/// segmenter and keep it. Use it on a single queue, not on the main one.
final class VisionSegmenter {
    static let labels: [String] = $labels
    static let colors: [UInt32] = [$hexadecimal]

    private let request: VNCoreMLRequest

    init(computeUnits: MLComputeUnits = .all) throws {
        let configuration = MLModelConfiguration()
        configuration.computeUnits = computeUnits
        let model = try VNCoreMLModel(for: $model(configuration: configuration).model)
        request = VNCoreMLRequest(model: model)
        request.imageCropAndScaleOption = .scaleFill  // as the model was trained: stretched, not cropped
    }

    /// Classes in a camera frame; `orientation` says how the frame is turned.
    func segment(_ frame: CVPixelBuffer, orientation: CGImagePropertyOrientation) throws -> ClassMap {
        try segment(with: VNImageRequestHandler(cvPixelBuffer: frame, orientation: orientation))
    }

    /// Classes in a still picture, turned upright as UIKit shows it: by a photo's EXIF data.
    func segment(_ image: UIImage) throws -> ClassMap {
        guard let picture = image.cgImage else { throw CocoaError(.featureUnsupported) }  // made from a CIImage
        let orientation = CGImagePropertyOrientation(image.imageOrientation)
        return try segment(with: VNImageRequestHandler(cgImage: picture, orientation: orientation))
    }

$reading
}

$orientation
