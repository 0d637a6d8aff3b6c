"""What authentication asks of the system: hashes, signatures, files, stores."""
