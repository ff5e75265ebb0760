B
upstream_yJñ&?ÙŒ¿ÑÜ?Ú´¼¿