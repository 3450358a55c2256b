"""How options that help are typed: wherever a reader stands, it is `mobileone export` that takes them."""

FLAGS = {'fp32_ops': '--fp32-op', 'precision': '--precision', 'weights': '--weights', 'images': '--image'}
