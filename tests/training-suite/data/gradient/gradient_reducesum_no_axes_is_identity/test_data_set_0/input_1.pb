B
upstream_yJ¿õ¸¿Úb7¿ı/¿8ºV?W‡¨?/¿