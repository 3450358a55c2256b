"""Pictures in, pictures with boxes out."""
