B
upstream_yJáK?ÜŠ¸?Íw¿q	¿şÖF¿<\#¿