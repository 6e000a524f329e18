// swift-tools-version: 6.0
import PackageDescription

// Release builds keep `@testable import` working, so that the tests run against the very code that ships.
let swift: [SwiftSetting] = [.unsafeFlags(["-enable-testing"], .when(configuration: .release))]

let package = Package(
    name: "pipeline",
    products: [
        .executable(name: "pipeline", targets: ["PipelineTool"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
    ],
    targets: [
        .executableTarget(
            name: "PipelineTool",
            dependencies: ["Pipeline", "Remote", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: swift),
        .target(
            name: "Pipeline",
            dependencies: ["JSON", "Models", "Optimizers", "Tokenizers", "Store", "Tensors", .product(name: "Yams", package: "Yams")],
            swiftSettings: swift),
        .target(
            name: "Remote", dependencies: ["Store", .product(name: "Crypto", package: "swift-crypto")], swiftSettings: swift),
        .target(name: "Models", dependencies: ["Tensors"], swiftSettings: swift),
        .target(name: "Optimizers", dependencies: ["Tensors"], swiftSettings: swift),
        .target(name: "Tokenizers", dependencies: ["JSON"], swiftSettings: swift),
        .target(
            name: "Store",
            dependencies: [
                "CCodecs", "CZstd", "JSON",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: swift),
        .target(name: "JSON", swiftSettings: swift),
        .target(name: "Tensors", dependencies: ["CKernels", "COpenBLAS"], swiftSettings: swift),
        .target(
            name: "CKernels",
            // Kernels are compiled for speed in debug builds too: a test that trains must not take an hour.
            cSettings: [.unsafeFlags(["-O3", "-fno-math-errno", "-ffp-contract=fast", "-Wno-psabi"])]),
        // What is stored must be the same bits everywhere: no product and sum become one operation.
        .target(name: "CCodecs", cSettings: [.unsafeFlags(["-O3", "-ffp-contract=off"])]),
        .target(name: "COpenBLAS", cSettings: [.unsafeFlags(["-O2"])]),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .testTarget(name: "JSONTests", dependencies: ["JSON"], swiftSettings: swift),
        .testTarget(name: "TensorsTests", dependencies: ["Tensors", "CKernels", "COpenBLAS"], swiftSettings: swift),
        .testTarget(name: "ModelsTests", dependencies: ["Models", "Tensors", "Optimizers"], swiftSettings: swift),
        .testTarget(name: "OptimizersTests", dependencies: ["Optimizers", "Tensors"], swiftSettings: swift),
        .testTarget(name: "TokenizersTests", dependencies: ["Tokenizers"], swiftSettings: swift),
        .testTarget(
            name: "StoreTests",
            dependencies: ["Store", "CCodecs", .product(name: "GRDB", package: "GRDB.swift")],
            swiftSettings: swift),
        .testTarget(name: "RemoteTests", dependencies: ["Remote", "Store"], exclude: ["Servers"], swiftSettings: swift),
        .testTarget(
            name: "PipelineTests",
            dependencies: ["JSON", "Pipeline", "Store", "Models", "Tokenizers", "Optimizers", "Tensors"],
            swiftSettings: swift),
        .testTarget(
            name: "PipelineToolTests",
            dependencies: ["PipelineTool", "Pipeline", "Optimizers", "Store"],
            swiftSettings: swift),
    ],
    swiftLanguageModes: [.v6]
)
