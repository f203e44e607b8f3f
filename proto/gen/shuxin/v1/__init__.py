"""Version 1 of the client interface, generated from proto/shuxin/v1/*.proto."""
