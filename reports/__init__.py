"""From results to what people look at: a page, tables for the terminal, words."""
