"""Files of prompts: JSON, CSV, label images."""
