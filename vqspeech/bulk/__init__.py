"""Many recordings at once: in processes of this machine, or on a Ray cluster."""
