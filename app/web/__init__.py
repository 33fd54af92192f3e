"""The HTTP server: the application, its routes outside of the console, its connections and its lifespan."""
