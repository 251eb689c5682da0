"""What a value looks like where a person meets it: two lines, a table, HTML; and characters that nobody sees."""
