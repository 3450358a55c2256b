"""mmengine's training and testing, with a face: what a person reads on the screen, all else in the log."""
