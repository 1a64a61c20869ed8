"""The vocabulary of the domain: values, errors, keys, text and the API's protocol. No I/O, standard library only."""
