B
upstream_yJšd­?_]¸¿ÍÏ…?
š??}¿d³·¿