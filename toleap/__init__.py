"""toleap"""
