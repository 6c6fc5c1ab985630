"""What happens to events, step by step: pure functions over Arrow tables, and their wiring."""
