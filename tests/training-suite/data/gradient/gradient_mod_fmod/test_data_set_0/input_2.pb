B
upstream_cJ ±ÿ”?ä®?Èé?Õª?á¨G?[Õp¿£ÝO¿;MO¿