"""From a trained model to a checked Core ML package. Only modules below this one import coremltools."""
