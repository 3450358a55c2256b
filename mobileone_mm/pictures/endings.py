"""Which files are taken for pictures, by their names alone."""

# In this order, VOC's names without ending are looked for.
PICTURE_ENDINGS = ('.jpg', '.jpeg', '.png', '.bmp', '.tif', '.tiff', '.webp')
