"""Between HTTP and the registry: who asks, what is asked, how much, and how bytes cross from events to threads."""
