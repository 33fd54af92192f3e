"""The server for programs: the application, its routes that are no console page, its connections and its life."""
