"""The bundle: the files a compiled model is made of, and the schema both sides share."""
