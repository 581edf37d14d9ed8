"""One web process: the server that `ASGI_SERVER` names, and how the process begins and ends whichever that is."""
