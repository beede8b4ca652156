"""Demo tenants: real-shaped documents (demo/data, Apache-2.0) and generated ones, loaded as a host product would."""
