"""What this package knows of OpenMMLab: configs, data, files."""
