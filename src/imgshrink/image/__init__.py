"""What the bytes of an image say, read without decoding a pixel. No I/O, standard library only."""
