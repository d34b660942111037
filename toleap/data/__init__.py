"""Where tasks come from: sources, decryption, the cache, corpora and attachments."""
