B
upstream_yJØFŠ?*Çc?îJ¿ş•“?