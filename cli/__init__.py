"""What a person types: bin/run, bin/dash and what they need (embedded services, supervisor, doctor)."""
