B
upstream_yJw•?Ä8?®?4!¿