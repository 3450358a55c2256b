"""Pictures in, pictures with what was found out."""
