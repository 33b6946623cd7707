"""Services: one transaction a public function. They load a slice, let the engine decide, record, and dispatch after."""
