"""The Hugging Face hub, asked only when a `hub:` id was given: find a repository, fetch its files, check them."""
