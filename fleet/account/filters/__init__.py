"""``--where``: the filter language, from text to SQL."""
