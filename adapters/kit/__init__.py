"""What does an adapter's author need? Mapping documents, codecs and the lens that joins them. See adapters/README.md."""
