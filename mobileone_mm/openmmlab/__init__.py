"""What this project knows of mmdet, mmseg, mmpretrain and mmengine."""
