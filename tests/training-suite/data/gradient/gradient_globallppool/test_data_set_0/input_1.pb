B
upstream_yJxa?ú#¬?Íş£¿NèA?