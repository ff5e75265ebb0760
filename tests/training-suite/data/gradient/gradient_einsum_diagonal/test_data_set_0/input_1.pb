B
upstream_yJA¥S?†ìV??