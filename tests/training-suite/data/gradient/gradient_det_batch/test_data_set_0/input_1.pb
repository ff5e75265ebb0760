B
upstream_yJEþ®¿Z[/¿