"""Planning a survey from the answers of an earlier one: questions, gaps, people."""
