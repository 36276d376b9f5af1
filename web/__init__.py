"""llm-site: serves bundles and the chat page that runs them."""
