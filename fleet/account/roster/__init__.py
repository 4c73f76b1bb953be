"""Lists of students, as schools send them, taken over."""
