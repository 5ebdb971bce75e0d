"""TLS for every network transport.

`credentials` reads certificates and keys from files and says what is wrong with them, `keeper` is the
process that notices when the files change, `wire` is a `Wire` on which the bytes are encrypted.
"""
