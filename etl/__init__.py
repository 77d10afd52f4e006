"""etl: loads XML dumps into a relational database."""
