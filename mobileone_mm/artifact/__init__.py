"""What every exported file has, whatever its task and format."""
