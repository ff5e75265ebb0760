B
upstream_yJ|NŒ¿N£?Ëşy¿wª¿ÿ™;¿¥0˜¿